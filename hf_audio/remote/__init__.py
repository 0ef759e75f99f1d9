"""Files that lie in an object store or on a server: `s3://bucket/a.wav`, `gs://`, `az://`, `hf://`, `https://`, ...

The one place that knows what such an address is. Whatever fsspec reads, it reads here: listed by one request a page,
small files by one request each, long ones range by range; tried again where a store does not answer, but not for ever.
Credentials are those that the store's own tools use; what an address itself holds of them is never told on.
"""
