export {
  PatientClient,
  type BatchHandle,
  type PatientClientOptions,
  type RequestHandle,
} from './client.ts';
export { optionsFromEnvironment } from './config/environment.ts';
export type { PatientOptions } from './config/options.ts';
export type { RunningBatch } from './batches.ts';
export { openFleet, type FleetOptions } from './fleet/open.ts';
export type {
  FailureRecord,
  Fleet,
  FleetProcess,
  FleetRequest,
  KeptOutcome,
  RequestOrder,
  RequestPage,
  RequestQuery,
  Statistics,
  StatisticsBucket,
} from './fleet/port.ts';
export type { FlowAdmin, FlowKey, FlowPage, FlowQuery } from './flow/port.ts';
export type {
  FinalRequest,
  Preprocessor,
  PreprocessorContext,
  RequestChanges,
} from './http/preprocessors.ts';
export type { SecretSource } from './http/secret-source.ts';
export { awsSigner, type AwsSignerOptions } from './http/signers/aws.ts';
export { hmacSigner, type HmacSignerOptions } from './http/signers/hmac.ts';
export { webhookSigner, type WebhookSignerOptions } from './http/signers/webhook.ts';
export { PatientPlugin, type PatientPluginOptions } from './plugin.ts';
export type { ObservedError, ProcessorObserver, TaskView } from './processor/observers.ts';
export { metricBuckets } from './telemetry/metrics.ts';
export { PatientWorker, type PatientWorkerOptions } from './worker.ts';
export { bundleWorkflows } from './workflow-bundle.ts';
export { PatientResponse, toResponse } from './shared/response.ts';
export type { PayloadStore, StoreAccess } from './shared/payload-store.ts';
export { ConfigError, type ErrorType, type ErrorWord } from './shared/errors.ts';
export type {
  Callback,
  CallbackArgument,
  FailureDetail,
  MultipartPart,
  RequestSpec,
  SecretRef,
  WireError,
  WireResponse,
} from './shared/wire.ts';
export type {
  BatchOutcome,
  BatchProgressReport,
  BatchResult,
  BatchSpec,
  SinkItem,
  SourcePage,
} from './shared/wire-batch.ts';
export { requestError } from '../workflows/failure.ts';
export type { InlineOptions, RequestOptions } from '../workflows/patient.ts';
