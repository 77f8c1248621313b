"""What our mails look like and say: a folder a template under `templates/`, made into a subject,
html and text by render.py. It knows no queue and no recipient but what it is given.
"""
