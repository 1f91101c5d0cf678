import type {RaftNews, Target} from '../core/raft/messages.js'
import type {AgentLog} from './logger.js'

const SCOPE = 'server.raft'

/** Says in the field's words what changed in Raft (hashicorp/raft raft.go), so that logs read as they always did. */
export function logRaftNews(news: RaftNews, self: Target, log: AgentLog): void {
  switch (news.news) {
    case 'log':
      return log(news.level, SCOPE, news.text)
    case 'role':
      return logRole(news, self, log)
    case 'leader':
      if (news.leader !== undefined && news.leader.id !== self.id)
        log(
          'debug',
          SCOPE,
          `following leader: leader-address=${news.leader.address} leader-id=${news.leader.id} term=${news.term}`,
        )
      return
    case 'established':
      return log('info', 'server', 'cluster leadership acquired')
    case 'configuration':
      return log(
        'info',
        SCOPE,
        `${news.committed ? 'committed' : 'updating'} configuration: servers="[${news.configuration.servers
          .map(
            ({suffrage, id, address}) =>
              `{Suffrage:${suffrage === 'voter' ? 'Voter' : 'Nonvoter'} ID:${id} Address:${address}}`,
          )
          .join(' ')}]"`,
      )
    case 'peer-lost':
      return log(
        'warn',
        SCOPE,
        `failed to contact: server-id=${news.peer.id} time=${Math.round(news.sinceMs)}ms`,
      )
    case 'peer-back':
      return log('info', SCOPE, `peer is back: server-id=${news.peer.id}`)
  }
}

function logRole({role, term}: RaftNews & {readonly news: 'role'}, self: Target, log: AgentLog): void {
  const node = `Node at ${self.address} [${role === 'leader' ? 'Leader' : role === 'follower' ? 'Follower' : 'Candidate'}]`
  switch (role) {
    case 'follower':
      return log('info', SCOPE, `entering follower state: follower="${node}" term=${term}`)
    case 'pre-candidate':
      return log('warn', SCOPE, `heartbeat timeout reached, starting election: term=${term}`)
    case 'candidate':
      return log('info', SCOPE, `entering candidate state: node="${node}" term=${term}`)
    case 'leader':
      log('info', SCOPE, `election won: term=${term}`)
      return log('info', SCOPE, `entering leader state: leader="${node}"`)
  }
}
