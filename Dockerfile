# The app as a container, for Functions on Container Apps or Kubernetes. It listens on port 8080 and gets its
# settings from the environment, as in Azure (docs/settings.md).
# The base image brings the Functions host, Python 3.13, unixODBC and Microsoft's ODBC Driver 18.
FROM mcr.microsoft.com/azure-functions/python:4-python3.13

# Vista cannot be read without the driver, and an image for 3.11 once lacked it: then better no image at all.
COPY requirements.lock /
RUN pip install --no-cache-dir --require-hashes -r /requirements.lock \
    && python -c "import pyodbc; assert 'ODBC Driver 18 for SQL Server' in pyodbc.drivers(), pyodbc.drivers()"

# The code belongs to root and stays as it is; the host writes its keys, logs and data into these folders.
WORKDIR /home/site/wwwroot
COPY . .
# docker build --build-arg "BUILD=$(infra/stamp)": what /health tells beside the version.
ARG BUILD=""
RUN if [ -n "$BUILD" ]; then echo "$BUILD" >shared/build.json; fi
RUN python -c "import function_app" \
    && groupadd --system --gid 10001 functions \
    && useradd --system --uid 10001 --gid functions --no-create-home --home-dir /home functions \
    && install --directory --owner functions --group functions \
        /home /home/data /home/LogFiles /azure-functions-host/Secrets

# Ports below 1024 are root's. Kubernetes believes that a user is not root only where it is a number.
ENV AzureWebJobsScriptRoot=/home/site/wwwroot \
    AzureFunctionsJobHost__Logging__Console__IsEnabled=true \
    ASPNETCORE_URLS=http://+:8080
EXPOSE 8080
USER 10001

HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health', timeout=4)"]
