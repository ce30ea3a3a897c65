import { patient, requestError, type RequestSpec } from '../../../workflows/index.ts';

/** Makes all calls at once; gives the status of each, or the type of its error. */
export async function callEach(specs: RequestSpec[], taskQueue: string): Promise<string[]> {
  const { request } = patient.extend({ taskQueue, timeout: '10m' });
  return Promise.all(
    specs.map((spec) =>
      request(spec).then(
        ({ status }) => String(status),
        (failure: unknown) => {
          const error = requestError(failure);
          if (!error) throw failure;
          return error.type;
        },
      ),
    ),
  );
}
