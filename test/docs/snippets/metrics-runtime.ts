// #region
import { Runtime } from '@temporalio/worker';
import { metricBuckets } from 'patient-http';

Runtime.install({
  telemetryOptions: {
    metrics: {
      prometheus: { bindAddress: '127.0.0.1:9464', histogramBucketOverrides: metricBuckets() },
    },
  },
});
// #endregion
