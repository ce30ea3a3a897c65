import { afterEach, expect, test, vi } from 'vitest';
import { FailedLogins } from '../../src/web/failed-logins.ts';

afterEach(() => {
  vi.useRealTimers();
});

function failTwentyTimes(logins: FailedLogins, addressOf: (index: number) => string): void {
  for (let index = 0; index < 20; index++) logins.count(addressOf(index));
}

test('an address waits for the next minute, others do not', () => {
  vi.useFakeTimers();
  const logins = new FailedLogins();
  failTwentyTimes(logins, () => '192.0.2.1');
  expect(logins.wait('192.0.2.1')).toBe(60);
  expect(logins.wait('::ffff:192.0.2.1')).toBe(60);
  expect(logins.wait('192.0.2.2')).toBe(0);
  vi.advanceTimersByTime(58_500);
  logins.count('192.0.2.1');
  expect(logins.wait('192.0.2.1')).toBe(2);
  vi.advanceTimersByTime(1_500);
  expect(logins.wait('192.0.2.1')).toBe(0);
});

test('of IPv6 it is the network that counts', () => {
  const logins = new FailedLogins();
  failTwentyTimes(logins, (index) => `2001:db8:1:2::${index + 1}`);
  expect(logins.wait('2001:db8:1:2:3:4:5:6')).toBeGreaterThan(0);
  expect(logins.wait('2001:db8:1:3::1')).toBe(0);
});
