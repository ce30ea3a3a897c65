export { assertSentOnce, callbackOf, type ReceivedCallback } from './assertions.ts';
export type { Respond, TestError, TestRequest, TestResponse } from './answers.ts';
export {
  startTestEnvironment,
  type TestEnvironment,
  type TestEnvironmentOptions,
} from './environment.ts';
export { createInlineActivities, type InlineActivities } from './inline-activities.ts';
export type { InlineOptions } from './inline-processor.ts';
export { runInline, type RunInlineOptions } from './run-inline.ts';
export {
  startTargetServer,
  TargetServer,
  type Hit,
  type TargetServerOptions,
} from './target-server.ts';
export { findTemporalCli, type FindTemporalCliOptions, type TemporalCli } from './temporal-cli.ts';
export {
  startTemporalServer,
  type TemporalServer,
  type TemporalServerOptions,
} from './temporal-server.ts';
