"""The function app: its blueprints, how it logs, and how its process ends."""

import os
import threading

import azure.functions as func

from functions.control_api import blueprint as control_api
from functions.health import blueprint as health
from functions.queues import blueprint as queues
from functions.sync_api import blueprint as sync_api
from functions.timers import blueprint as timers
from shared import runtime
from shared.shutdown import end_gracefully
from shared.telemetry.logs import install_json_logs

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
for blueprint in (timers, queues, health, sync_api, control_api):
    app.register_functions(blueprint)

# In the Functions worker only: the hosts of `local/` and of tests have their own ways to log and to end.
if os.environ.get("FUNCTIONS_WORKER_RUNTIME"):
    install_json_logs(os.environ)
    if threading.current_thread() is threading.main_thread():
        end_gracefully(runtime.current().shutdown)
