import { parseDuration } from './duration.ts';
import { invalidRequest } from './errors.ts';
import { isName } from './names.ts';
import { checkBytes } from './spec-size.ts';
import { describe, isRecord } from './values.ts';

/** Temporal counts attempts in 32 bits; timers too, in ms. */
const MAX_INT = 2 ** 31 - 1;

/** Every page is asked for with them, and every next run has them. */
const MAX_ARGS_BYTES = 256 * 1024;

/** @throws RequestError `InvalidRequestError` */
export function checkSource(value: unknown): void {
  checkPlace('source', value, ['args']);
  const { args } = value as { args?: unknown };
  if (args !== undefined && !Array.isArray(args)) {
    throw invalidRequest(`source.args: expected an array, got ${describe(args)}`);
  }
  checkBytes('source.args', args, MAX_ARGS_BYTES);
}

/** @throws RequestError `InvalidRequestError` */
export function checkSink(value: unknown): void {
  checkPlace('sink', value, []);
}

function checkPlace(field: string, value: unknown, more: string[]): void {
  const { file, activity, taskQueue }: Record<string, unknown> = isRecord(value) ? value : {};
  const isFile = isName(file);
  if (isFile === (isName(activity) && isName(taskQueue))) {
    throw invalidRequest(
      `${field}: expected { file } or { activity, taskQueue }, got ${describe(value)}`,
    );
  }
  checkFields(field, value as object, isFile ? ['file'] : ['activity', 'taskQueue', ...more]);
}

/**
 * What a request's callback may be too.
 * @throws RequestError `InvalidRequestError`
 */
export function checkCallback(value: unknown): void {
  if (isName(value)) return;
  if (isRecord(value) && isName(value['workflow'])) {
    checkFields('callback', value, ['workflow', 'taskQueue', 'retry']);
    const { taskQueue, retry } = value;
    if (taskQueue !== undefined && !isName(taskQueue)) {
      throw invalidRequest(`callback.taskQueue: expected a name, got ${describe(taskQueue)}`);
    }
    if (retry !== undefined) checkRetry(retry);
    return;
  }
  if (!isRecord(value) || !isName(value['signal']) || !isName(value['workflowId'])) {
    throw invalidRequest(
      'callback: expected a workflow name, { workflow, taskQueue } or { signal, workflowId }, ' +
        `got ${describe(value)}`,
    );
  }
  checkFields('callback', value, ['signal', 'workflowId']);
}

function checkRetry(value: unknown): void {
  const field = 'callback.retry';
  if (!isRecord(value)) {
    throw invalidRequest(`${field}: expected an object of retry options, got ${describe(value)}`);
  }
  const names = ['maximumAttempts', 'initialInterval', 'backoffCoefficient', 'maximumInterval'];
  checkFields(field, value, names);
  const { maximumAttempts = 1, backoffCoefficient = 1, initialInterval, maximumInterval } = value;
  if (!Number.isInteger(maximumAttempts) || !isBetween(maximumAttempts, 1, MAX_INT)) {
    throw invalidRequest(
      `${field}.maximumAttempts: expected an integer from 1, got ${describe(maximumAttempts)}`,
    );
  }
  if (!isBetween(backoffCoefficient, 1, Infinity)) {
    throw invalidRequest(
      `${field}.backoffCoefficient: expected a number from 1, got ${describe(backoffCoefficient)}`,
    );
  }
  for (const [name, given] of Object.entries({ initialInterval, maximumInterval })) {
    if (given === undefined || isBetween(parseDuration(given), 1, MAX_INT)) continue;
    throw invalidRequest(`${field}.${name}: expected a duration, got ${describe(given)}`);
  }
  const [least, most] = [parseDuration(initialInterval), parseDuration(maximumInterval)];
  if (least !== undefined && most !== undefined && most < least) {
    throw invalidRequest(
      `${field}.maximumInterval: expected at least initialInterval (${least} ms), got ${most} ms`,
    );
  }
}

function checkFields(field: string, value: object, names: string[]): void {
  const unknown = Object.keys(value).find((name) => !names.includes(name));
  if (unknown !== undefined) throw invalidRequest(`${field}.${unknown}: unknown field`);
}

function isBetween(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most;
}
