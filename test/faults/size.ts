/** Thousands of requests and minutes of load: `PATIENT_TEST_FULL=1`, on a machine with room. */
export const FULL = process.env.PATIENT_TEST_FULL === '1';
