# The service for exported files alone: without torch, from the wheel.
#   docker build -t hf-audio . && docker run -p 8000:8000 -v ./model.onnx:/model.onnx hf-audio
# What is said behind the image's name are words of `hf-audio serve`: files, `--workers 2`, and so on.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY hf_audio hf_audio
COPY recipes recipes
RUN pip wheel --no-deps --wheel-dir /wheel .
RUN pip install --no-deps --no-compile --target /app /wheel/*.whl
# Of the wheel's requirements, those of two extras; the others are for training and for torch.
RUN PYTHONPATH=/app python -c "import importlib.metadata, re; print(*(each.partition(';')[0] for each in importlib.metadata.requires('hf-audio') if re.search('extra == .(onnx|serve)', each)), sep='\n')" > /requirements.txt
RUN pip install --no-cache-dir --no-compile --target /app --requirement /requirements.txt
RUN find /app -type d -name tests -prune -exec rm -r {} +

FROM python:3.13-slim
COPY --from=build /app /app
ENV PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER nobody
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready')"]
ENTRYPOINT ["python", "-m", "hf_audio.cli", "serve", "--host", "0.0.0.0"]
CMD ["/model.onnx"]
