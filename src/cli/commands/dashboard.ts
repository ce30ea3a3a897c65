import type { Command } from 'commander';
import type { DashboardFlags } from '../actions/dashboard.ts';

export function addDashboardCommand(program: Command): void {
  program
    .command('dashboard')
    .description('serve the dashboard of all processes of a queue, until Ctrl-C')
    .option('--listen <host:port>', 'instead of PATIENT_LISTEN (127.0.0.1:8235); port 0 is any')
    .addHelpText(
      'after',
      `
Reads PATIENT_REDIS_URL. Read-only and for this machine alone, unless PATIENT_DASHBOARD_PASSWORD (and
PATIENT_DASHBOARD_USER, "patient") or PATIENT_DASHBOARD_TOKEN is set. PATIENT_TEMPORAL_UI makes links
to workflows. /healthz, for probes, wants no credentials. A worker serves the same with PATIENT_LISTEN and PATIENT_DASHBOARD=true.

Examples:
  $ PATIENT_REDIS_URL=redis://localhost patient dashboard
  $ PATIENT_DASHBOARD_PASSWORD=… patient dashboard --listen 0.0.0.0:8235`,
    )
    .action(async (flags: DashboardFlags) => {
      const { serveDashboard } = await import('../actions/dashboard.ts');
      process.exitCode = await serveDashboard(flags);
    });
}
