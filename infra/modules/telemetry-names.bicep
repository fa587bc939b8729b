// The names that shared/telemetry gives to metrics and events, once for all queries.

@export()
@description('customMetrics.name')
var metrics = {
  lastSync: 'last_sync_timestamp'
  runs: 'sync_runs_total'
  operations: 'sync_operations_total'
  deadLetters: 'dead_letters'
  breakerOpen: 'breaker_open_seconds'
  limiterUsed: 'limiter_used_ratio'
  apiRequests: 'api_requests_total'
  queueAge: 'queue_age_seconds'
  runsHeld: 'runs_held'
  failedRecords: 'sync_failed_records'
}

@export()
@description('customDimensions of those metrics')
var dimensions = {
  service: 'service'
  queue: 'queue'
}

@export()
@description('Field `event` of the JSON object in traces.message')
var events = {
  runEnded: 'run_ended'
}

@export()
@description('The timer function that heals what got lost; its requests are the app\'s heartbeat.')
var heartbeatFunction = 'sweep'
