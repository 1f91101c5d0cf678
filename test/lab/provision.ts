import {randomUUID} from 'node:crypto'
import {chmodSync, chownSync, copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {atLeast, type ServerBinary} from './binaries.js'

/** What keeps the server running on a lab host. */
export type LabManager = 'systemd' | 'runit' | 'supervisor'

/** Everything that goes onto the disk of one host. */
export interface HostPlan {
  readonly name: string
  readonly manager: LabManager
  readonly restart: 'on-failure' | 'always'
  readonly keys: string
  readonly hosts: readonly {readonly name: string; readonly address: string}[]
  readonly config: Readonly<Record<string, unknown>>
}

/** User and group of the server on every lab host. */
export const CONSUL_ID = 800
const OPS_ID = 1000
const GUEST_ID = 1001
const EXEC = '/usr/local/bin/consul agent -config-dir=/etc/consul.d/server'

/** The server's settings in the manner of its version: old ones refuse keys they do not know. */
export function serverConfig(
  binary: ServerBinary,
  name: string,
  address: string,
  others: readonly string[],
  expect: number,
): Record<string, unknown> {
  const quick =
    binary.kind === 'reference'
      ? {
          performance: {raft_multiplier: 0.6, leave_drain_time: '200ms'},
          gossip_lan: {probe_interval: '400ms', probe_timeout: '200ms', suspicion_mult: 3},
          reconcile_interval: '5s',
        }
      : atLeast(binary.version, '0.7.0')
        ? {performance: {raft_multiplier: 1}}
        : {}
  // From 0.7.3 to 0.8.4 Consul takes the machine's own id for its node id: the same for all hosts of one machine.
  const ownId = atLeast(binary.version, '0.7.3') && !atLeast(binary.version, '0.8.5')
  return {
    datacenter: 'dc1',
    node_name: name,
    bind_addr: address,
    data_dir: '/var/consul',
    log_level: 'INFO',
    server: true,
    bootstrap_expect: expect,
    leave_on_terminate: false,
    skip_leave_on_interrupt: true,
    rejoin_after_leave: true,
    retry_join: others,
    ...(ownId ? {node_id: randomUUID()} : {}),
    ...(binary.kind === 'consul' ? {disable_update_check: true} : {}),
    ...quick,
  }
}

const file = (path: string, text: string, mode = 0o644): void => {
  mkdirSync(join(path, '..'), {recursive: true})
  writeFileSync(path, text)
  chmodSync(path, mode)
}

/** Writes names, keys, configuration and service definition onto a mounted disk. */
export function provision(root: string, host: HostPlan): void {
  file(join(root, 'etc/hostname'), `${host.name}\n`)
  file(join(root, 'etc/machine-id'), `${randomUUID().replaceAll('-', '')}\n`)
  const hosts = host.hosts.map(one => `${one.address} ${one.name}\n`).join('')
  file(join(root, 'etc/hosts'), `127.0.0.1 localhost\n${hosts}`)
  copyFileSync(join(host.keys, host.name), join(root, 'etc/ssh/ssh_host_ed25519_key'))
  chmodSync(join(root, 'etc/ssh/ssh_host_ed25519_key'), 0o600)
  for (const [home, id] of [
    ['root', 0],
    ['home/ops', OPS_ID],
    ['home/guest', GUEST_ID],
  ] as const) {
    const ssh = join(root, home, '.ssh')
    mkdirSync(ssh, {recursive: true, mode: 0o700})
    copyFileSync(join(host.keys, 'operator.pub'), join(ssh, 'authorized_keys'))
    for (const path of [ssh, join(ssh, 'authorized_keys')]) chownSync(path, id, id)
  }
  file(join(root, 'etc/consul.d/server/config.json'), `${JSON.stringify(host.config, null, 2)}\n`)
  for (const dir of ['var/consul', 'var/log/consul']) chownSync(join(root, dir), CONSUL_ID, CONSUL_ID)
  services[host.manager](root, host)
}

const enable = (root: string, service: string): void => {
  const link = join(root, 'etc/runit/runsvdir/default', service)
  rmSync(link, {force: true})
  symlinkSync(`/etc/sv/${service}`, link)
}

function sshdUnderRunit(root: string): void {
  const run =
    '#!/bin/sh\nmkdir -p /run/sshd; chmod 755 /run/sshd\nexec /usr/sbin/sshd -D -e 2>>/var/log/sshd.log\n'
  file(join(root, 'etc/sv/sshd/run'), run, 0o755)
  enable(root, 'sshd')
}

const services: Record<LabManager, (root: string, host: HostPlan) => void> = {
  systemd: (root, host) => {
    const unit = [
      '[Unit]',
      'Description=Consul server agent',
      '[Service]',
      'User=consul',
      'Group=consul',
      `ExecStart=${EXEC}`,
      'KillSignal=SIGTERM',
      `Restart=${host.restart}`,
      'LimitNOFILE=65536',
      '[Install]',
      'WantedBy=multi-user.target',
      '',
    ]
    file(join(root, 'etc/systemd/system/consul.service'), unit.join('\n'))
    const wants = join(root, 'etc/systemd/system/multi-user.target.wants')
    mkdirSync(wants, {recursive: true})
    symlinkSync('/etc/systemd/system/consul.service', join(wants, 'consul.service'))
  },
  runit: root => {
    sshdUnderRunit(root)
    file(
      join(root, 'etc/sv/consul/run'),
      `#!/bin/sh\nexec 2>&1\nexec chpst -u consul:consul ${EXEC}\n`,
      0o755,
    )
    file(join(root, 'etc/sv/consul/log/run'), '#!/bin/sh\nexec svlogd -tt /var/log/consul\n', 0o755)
    enable(root, 'consul')
  },
  supervisor: root => {
    sshdUnderRunit(root)
    const run =
      '#!/bin/sh\nexec /usr/bin/supervisord -n -c /etc/supervisor/supervisord.conf >/dev/null 2>&1\n'
    file(join(root, 'etc/sv/supervisord/run'), run, 0o755)
    const program = [
      '[program:consul]',
      `command=${EXEC}`,
      'user=consul',
      'autostart=true',
      'autorestart=true',
      'stopsignal=TERM',
      'stopwaitsecs=30',
      'redirect_stderr=true',
      'stdout_logfile=/var/log/consul/consul.log',
      '',
    ]
    file(join(root, 'etc/supervisor/conf.d/consul.conf'), program.join('\n'))
    enable(root, 'supervisord')
  },
}
