import { proxyActivities } from '@temporalio/workflow';

const { double } = proxyActivities<{ double(n: number): Promise<number> }>({
  startToCloseTimeout: '10s',
});

export async function doubled(n: number): Promise<number> {
  return double(n);
}
