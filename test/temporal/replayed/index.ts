// What a replay must find: the ready-made workflows, and those of the tests that call inline.
export * from '../workflows/index.ts';
export * from '../../../workflows/index.ts';
