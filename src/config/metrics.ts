import ipaddr from 'ipaddr.js';
import { z } from 'zod';

/** `prometheus://address:port`, or the URL of an OTLP collector; the scheme says which protocol. */
export function metricsUrl() {
  const error =
    'expected prometheus://address:port, or grpc://, grpcs://, http:// or https:// and a collector';
  return z.string({ error }).refine(isMetricsUrl, { error });
}

function isMetricsUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, port, pathname } = new URL(text);
  if (protocol !== 'prometheus:') return /^(grpc|http)s?:$/.test(protocol) && hostname !== '';
  const isAddress = ipaddr.isValid(hostname.replace(/^\[(.*)\]$/, '$1'));
  return isAddress && port !== '' && pathname === '';
}
