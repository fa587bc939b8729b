"""The function app: its blueprints, and nothing else."""

import azure.functions as func

from functions.health import blueprint as health
from functions.queues import blueprint as queues
from functions.sync_api import blueprint as sync_api
from functions.timers import blueprint as timers

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
for blueprint in (timers, queues, health, sync_api):
    app.register_functions(blueprint)
