import {Args, Flags} from '@oclif/core'
import {BaseCommand} from '../../src/base-command.js'
import {ownAgent} from '../../src/cluster-command.js'
import {clusterFlags} from '../../src/cluster-flags.js'
import type {ClusterJson} from '../../src/ui/views/cluster.js'

/** What `cluster up --json` prints. */
export type ClusterUpJson = ClusterJson & {readonly resumed: boolean}

/** Raises a cluster. */
export default class ClusterUp extends BaseCommand<ClusterUpJson> {
  static override summary = 'Raise a cluster of servers on this machine; returns when there is a leader.'
  static override description =
    'Every server is a process of its own on a loopback address of its own, with the usual ports. What is there already is started where it is stopped. Every command works on it: quorate doctor --cluster local.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> 5 --clients 2 --name test',
  ]
  static override args = {
    servers: Args.integer({default: 3, min: 1, max: 31, description: 'Servers to raise.'}),
  }
  static override flags = {
    ...clusterFlags,
    clients: Flags.integer({default: 0, min: 0, max: 100, summary: 'Clients to raise beside them.'}),
    'raft-protocol': Flags.integer({
      default: 3,
      min: 0,
      max: 3,
      summary: 'Raft protocol; 0 keeps peers.json as Consul 0.6 did.',
    }),
    encrypt: Flags.boolean({summary: 'Encrypt gossip with a new key.'}),
    within: Flags.integer({
      default: 30,
      min: 1,
      max: 600,
      helpValue: 'SECONDS',
      summary: 'How long a leader may take.',
    }),
  }

  /** Raises it and says how to reach it. */
  async run(): Promise<ClusterUpJson> {
    const {args, flags} = await this.parse(ClusterUp)
    const terminal = this.terminal(flags)
    const [{clusterUp}, {describeCluster}, {renderClusterUp}] = await Promise.all([
      import('../../src/cluster/up-down.js'),
      import('../../src/cluster/describe.js'),
      import('../../src/ui/views/cluster.js'),
    ])
    const {cluster, resumed} = await clusterUp(process.env, {
      name: flags.name,
      servers: args.servers,
      clients: flags.clients,
      raftProtocol: flags['raft-protocol'],
      encrypt: Boolean(flags.encrypt),
      program: await ownAgent(),
      leaderWithinMs: flags.within * 1000,
    })
    const result = {...(await describeCluster(cluster)), resumed}
    return this.show(
      {
        result,
        cluster: cluster.name,
        exit: 'ok',
        screen: theme => renderClusterUp(result, {resumed}, {theme, width: terminal.width}),
      },
      terminal,
    )
  }
}
