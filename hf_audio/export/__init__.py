"""A checkpoint as an ONNX file and as a page, and the certificate that all ways of running it agree."""
