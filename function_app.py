"""The function app: its blueprints, how it logs, and how its process ends."""

import os
import threading

import azure.functions as func

from functions.control_api import blueprint as control_api
from functions.dashboard import blueprint as dashboard
from functions.decisions_api import blueprint as decisions_api
from functions.failures_api import blueprint as failures_api
from functions.health import blueprint as health
from functions.me_api import blueprint as me_api
from functions.queues import blueprint as queues
from functions.records_api import blueprint as records_api
from functions.rules_api import blueprint as rules_api
from functions.runs_api import blueprint as runs_api
from functions.status_api import blueprint as status_api
from functions.sync_api import blueprint as sync_api
from functions.timers import blueprint as timers
from shared import runtime
from shared.shutdown import end_gracefully
from shared.telemetry.logs import install_json_logs

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
API = (sync_api, runs_api, records_api, failures_api, control_api, decisions_api, rules_api, status_api)
for blueprint in (timers, queues, health, dashboard, *API, me_api):
    app.register_functions(blueprint)

# In the Functions worker only: the hosts of `local/` and of tests have their own ways to log and to end.
if os.environ.get("FUNCTIONS_WORKER_RUNTIME"):
    install_json_logs(os.environ)
    if threading.current_thread() is threading.main_thread():
        end_gracefully(runtime.current().shutdown)
