export interface ServicePort {
  name: string;
  port: number;
}

/** What Kubernetes tells the pods beside a Service of it, as the kubelet makes it. */
export function serviceLinks(service: string, ports: ServicePort[]): Record<string, string> {
  const address = '10.96.0.17';
  const name = upper(service);
  const urls = ports.map(({ port }) => `tcp://${address}:${port}`);
  return {
    [`${name}_SERVICE_HOST`]: address,
    [`${name}_SERVICE_PORT`]: String(ports[0]!.port),
    ...Object.fromEntries(
      ports.map((each) => [`${name}_SERVICE_PORT_${upper(each.name)}`, String(each.port)]),
    ),
    [`${name}_PORT`]: urls[0]!,
    ...Object.fromEntries(
      ports.flatMap(({ port }, index) => {
        const link = `${name}_PORT_${port}_TCP`;
        return [
          [link, urls[index]!],
          [`${link}_PROTO`, 'tcp'],
          [`${link}_PORT`, String(port)],
          [`${link}_ADDR`, address],
        ];
      }),
    ),
  };
}

function upper(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}
