import progress from 'cli-progress';
import type { BatchProgressReport } from '../../shared/wire-batch.ts';
import { say } from '../output.ts';

/** ms between two lines where there is no terminal. */
const LINES = 5_000;

const FORMAT =
  '{bar} {percentage}% | {value}/{total} | {failed} failed, {retrying} to retry | ' +
  '{duration_formatted}, {eta_formatted} left';

export interface ProgressView {
  show(report: BatchProgressReport): void;
  end(): void;
}

/**
 * A bar on a terminal, a line now and then elsewhere; both on standard error.
 * @param printed whether the results go to standard output
 */
export function showProgress(total: number, printed: boolean): ProgressView {
  // Results on the same terminal are progress enough.
  if (printed && process.stdout.isTTY) return { show: () => undefined, end: () => undefined };
  return process.stderr.isTTY ? bar(total) : lines(total);
}

function bar(total: number): ProgressView {
  const view = new progress.SingleBar({
    ...{
      format: FORMAT,
      // How long is left is not known before something has ended: `INF` and the like.
      formatTime: (seconds, options, step) =>
        Number.isFinite(Number(seconds)) ? progress.Format.TimeFormat(seconds, options, step) : '?',
      hideCursor: true,
      barsize: 24,
      etaBuffer: 50,
      etaAsynchronousUpdate: true,
    },
    stream: process.stderr,
    // Left to us, who say at the end what goes on.
    gracefulExit: false,
  });
  view.start(total, 0, { failed: 0, retrying: 0 });
  return {
    show({ succeeded, failed, retrying }) {
      view.update(succeeded + failed, { failed, retrying });
    },
    end() {
      view.stop();
    },
  };
}

function lines(total: number): ProgressView {
  let next = Date.now() + LINES;
  let told = -1;
  return {
    show({ succeeded, failed, retrying }) {
      const ended = succeeded + failed;
      if (Date.now() < next || ended === told) return;
      next = Date.now() + LINES;
      told = ended;
      say(`${ended} of ${total} requests have ended, ${failed} failed, ${retrying} to retry`);
    },
    end() {},
  };
}
