from api.quizzes.routes import router
from studypack.core.http import lambda_handler

handler = lambda_handler(router)
