import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Those that take over half a minute on two cores: begun last they would be waited for alone. */
const LONGEST = [
  'test/payload/memory',
  'test/redis/crash',
  'test/redis/batch',
  'test/temporal/batch-callbacks',
  'test/chaos/chaos',
  'test/payload/store-away',
  'test/cli/operate',
  'test/cli/requests',
  'test/web/browser',
  'test/redis/flow',
  'test/docs/snippets',
  'test/temporal/batch-sizes',
  'test/temporal/drain',
  'test/cli/batch',
  'test/demo/crash',
  'test/languages/python',
  'test/faults/temporal-away',
  'test/faults/stopped',
  'test/faults/rolling-deploy',
  'test/faults/kill-with-redis',
  'test/faults/kill-one',
  'test/faults/cancel',
  'test/languages/go',
];

/** The files that take longest first, the others as they would be. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const placeOf = ({ moduleId }: TestSpecification): number => {
      const place = LONGEST.findIndex((name) => moduleId.includes(`/${name}.test.ts`));
      return place < 0 ? LONGEST.length : place;
    };
    return sorted.toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}
