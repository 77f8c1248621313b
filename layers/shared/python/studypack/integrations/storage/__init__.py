"""Files in S3: who may put one where, who may fetch one. On one machine moto's server stands in."""

from studypack.integrations.storage.files import (
    StoredFile,
    UploadForm,
    delete,
    download_url,
    forget_storage,
    inspect,
    is_set_up,
    put,
    read,
    upload_form,
)

__all__ = [
    "StoredFile",
    "UploadForm",
    "delete",
    "download_url",
    "forget_storage",
    "inspect",
    "is_set_up",
    "put",
    "read",
    "upload_form",
]
