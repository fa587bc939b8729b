// The names that shared/telemetry gives to metrics and events, once for all alerts.

@export()
@description('customMetrics.name')
var metrics = {
  lastSync: 'last_sync_timestamp'
  deadLetters: 'dead_letters'
  breakerOpen: 'breaker_open_seconds'
  limiterUsed: 'limiter_used_ratio'
  queueAge: 'queue_age_seconds'
  runsHeld: 'runs_held'
  failedRecords: 'sync_failed_records'
  redisUp: 'redis_up'
}

@export()
@description('customDimensions of those metrics')
var dimensions = {
  service: 'service'
  queue: 'queue'
  operation: 'operation'
}

@export()
@description('Field `event` of the JSON object in traces.message')
var events = {
  runEnded: 'run_ended'
}

@export()
@description('The timer function that heals what got lost; its requests are the app\'s heartbeat.')
var heartbeatFunction = 'sweep'
