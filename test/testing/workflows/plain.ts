/** A user's workflows and the ready-made ones, for one plain worker. */
export * from '../../../workflows/index.ts';
export * from './index.ts';
