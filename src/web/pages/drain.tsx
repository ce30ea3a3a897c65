import type { FC } from 'hono/jsx';
import type { FleetProcess } from '../../fleet/port.ts';
import type { View } from '../view/view.ts';

/** What a deploy right now would mean, for one process or for all of them. */
export const Drain: FC<{ view: View; processes: FleetProcess[] }> = ({ view, processes }) => {
  const { t } = view;
  const alive = processes.filter(({ leaseLeft }) => leaseLeft > 0);
  const sum = (of: keyof FleetProcess['drain']): number =>
    alive.reduce((total, { drain }) => total + drain[of], 0);
  const onWire = sum('onWire');
  return (
    <>
      <h2>{t.text('deploy.title')}</h2>
      <dl class="facts">
        <dt>{t.text('deploy.handOver')}</dt>
        <dd>{t.number(sum('handOver'))}</dd>
        <dt>{t.text('deploy.onWire')}</dt>
        <dd>{t.number(onWire)}</dd>
        <dt>{t.text('deploy.delivering')}</dt>
        <dd>{t.number(sum('delivering'))}</dd>
      </dl>
      <p class={onWire > 0 ? 'risk' : 'safe'}>
        {onWire > 0 ? t.text('deploy.risk', { count: onWire }) : t.text('deploy.safe')}
      </p>
    </>
  );
};
