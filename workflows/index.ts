export { defineCallback, type CallbackContext, type CallbackHandlers } from './define-callback.ts';
export { requestError } from './failure.ts';
export {
  patient,
  type BatchOptions,
  type InlineOptions,
  type Patient,
  type PatientBatchResult,
  type RequestOptions,
} from './patient.ts';
export {
  patientDelete,
  patientGet,
  patientHead,
  patientPatch,
  patientPost,
  patientPut,
  patientRequest,
} from './request-workflows.ts';
export { patientBatch } from './batch.ts';
export type { RequestTemplate } from '../src/shared/template.ts';
export { PatientResponse, toResponse } from '../src/shared/response.ts';
export type { ErrorType, ErrorWord } from '../src/shared/errors.ts';
export type {
  Callback,
  CallbackArgument,
  FailureDetail,
  RequestSpec,
  WireError,
  WireResponse,
} from '../src/shared/wire.ts';
export type { BatchOutcome, BatchResult, BatchSpec } from '../src/shared/wire-batch.ts';
