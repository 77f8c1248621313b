"""How authors make courses: each module serves one kind of thing (courses, modules, lessons,
topics), over ordering, publishing, prerequisites, slugs and editing.
"""
