"""An AMQP 1.0 server with Service Bus's dialect, for this machine and for tests: the real SDK, unmodified,
takes it for the development emulator. Its queues are those of `local.bus.in_process.InProcessBus`."""
