"""Courses as files: a folder (or a zip of it) of YAML and Markdown that authors can keep in git.

    course.yaml                              the course, its topics, the order of its modules
    modules/<module>/module.yaml             a module, the order of its lessons and quizzes
    modules/<module>/<lesson>.md             front matter between `---` lines, then Markdown
    modules/<module>/<lesson>.json           the same fields, and a TipTap document in `content`
    modules/<module>/<quiz>.quiz.yaml        a quiz that counts in the module
    modules/<module>/assets/<file>           files of its lessons
    quizzes/<quiz>.quiz.yaml                 quizzes on a topic alone
    questions/*.yaml, exams.yaml, media/     the bank, the exams, pictures

`tree` and `archive` hold files, `reading` checks them and makes a CourseContent of them, `writing`
makes files of one; `importing` writes one to the database, `exporting` reads one from there;
`comparing` tells two apart; `service` is what routes and commands call.
"""
