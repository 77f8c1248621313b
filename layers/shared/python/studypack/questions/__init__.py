"""The question bank: five types, their answers and how each is graded."""
