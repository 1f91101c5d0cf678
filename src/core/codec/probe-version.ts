/**
 * The version in what `consul version` and its like print: `Consul v1.16.6`, `Consul 0.6.4`, `Nomad v1.7.0`, `Vault
 * v1.15.2 ('…'), built …`. Undefined when no line says it.
 */
export function parseVersionOutput(text: string): string | undefined {
  const match = /^(?:Consul|Nomad|Vault|OpenBao|rqlited)\s+v?(\d[\w.+-]{0,60})/m.exec(text.slice(0, 4096))
  return match?.[1]
}
