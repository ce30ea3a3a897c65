import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { inject } from 'vitest';
import { startBrowser } from '../support/browser.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';

export const PASSWORD = 'open sesame';

export interface DashboardFixture extends AsyncDisposable {
  env: Environment;
  redis: RedisServer;
  browser: Browser;
  /** Of the worker's HTTP server. */
  url: string;
  /** A page that is signed in; closed with the browser. */
  page(path: string, options?: BrowserContextOptions): Promise<Page>;
}

/** A worker on a real Redis with its dashboard, and a browser to look at it. */
export async function startDashboard(): Promise<DashboardFixture> {
  process.env.PATIENT_DASHBOARD_PASSWORD = PASSWORD;
  const redis = await startRedis();
  const env = await startEnvironment({
    ...{ redisUrl: redis.url, listen: '127.0.0.1:0', dashboard: true, maxConnections: 50 },
    ...{ temporalUi: `http://${inject('temporalAddress')}`, flow: { narrow: { concurrency: 1 } } },
  });
  await waitFor(() => env.worker.processor.state === 'running');
  const url = env.worker.url!;
  const browser = await startBrowser();
  return {
    ...{ env, redis, browser, url },
    async page(path, options = {}) {
      const httpCredentials = { username: 'patient', password: PASSWORD };
      const context = await browser.newContext({ locale: 'en', httpCredentials, ...options });
      const page = await context.newPage();
      await page.goto(url + path);
      return page;
    },
    async [Symbol.asyncDispose]() {
      delete process.env.PATIENT_DASHBOARD_PASSWORD;
      await browser.close();
      env.target.release();
      await env[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    },
  };
}
