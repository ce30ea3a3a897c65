export * from './ask-and-go-on.ts';
export * from './charge.ts';
export * from './forecast.ts';
export * from './notify.ts';
export * from './price-all.ts';
export * from './price-as-child.ts';
export * from './price-order.ts';
