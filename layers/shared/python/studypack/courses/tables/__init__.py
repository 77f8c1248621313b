"""The tables of courses: content, what a learner does with it, videos' events."""
