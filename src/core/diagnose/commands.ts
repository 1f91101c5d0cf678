import {shellCommand, shellQuote} from '../text.js'
import type {ServerObservation, Service} from '../model/observation.js'
import {valueOf} from '../model/reading.js'
import type {DiagnosisContext} from './facts.js'

/** A command of ours, with the arguments that name the same cluster again. */
export function quorateCommand(context: DiagnosisContext, ...args: readonly string[]): string {
  return shellCommand(['quorate', ...args, ...context.invocation])
}

/** A command to paste that runs `argv` on a server's host as root, the way we came in ourselves. */
export function onHost(server: ServerObservation, ...argv: readonly string[]): string {
  const access = valueOf(server.reached)
  const asRoot = access?.root === 'root' ? argv : ['sudo', ...argv]
  if (access?.transport === 'local') return shellCommand(asRoot)
  const target = access === undefined ? server.address : `${access.user}@${server.address}`
  // The remote shell splits the words again, so each is quoted for it first.
  return shellCommand(['ssh', target, ...asRoot.map(shellQuote)])
}

/** The unit of a local cluster is `CLUSTER/SERVER`. */
function clusterWords({unit}: Service, verb: 'start' | 'stop'): readonly string[] {
  const [cluster = '', server = ''] = unit.split('/')
  return ['quorate', 'cluster', verb, server, '--name', cluster]
}

function startWords(service: Service): readonly (readonly string[])[] {
  const {unit} = service
  switch (service.manager) {
    case 'systemd': {
      const unmask = service.masked ? [['systemctl', 'unmask', unit]] : []
      const reset = service.state === 'failed' ? [['systemctl', 'reset-failed', unit]] : []
      return [...unmask, ...reset, ['systemctl', 'start', unit]]
    }
    case 'upstart':
      return [['initctl', 'start', unit]]
    case 'sysv':
      return [['service', unit, 'start']]
    case 'supervisor':
      return [['supervisorctl', 'start', unit]]
    case 'runit':
      return [['sv', 'up', unit]]
    case 'cluster':
      return [clusterWords(service, 'start')]
    case 'custom':
      return []
    default: {
      const never: never = service.manager
      return never
    }
  }
}

/** The lines that start a server by its own service manager; none where the manager is not known. */
export function startCommands(server: ServerObservation): readonly string[] {
  const service = valueOf(server.service)
  return service === undefined ? [] : startWords(service).map(words => onHost(server, ...words))
}

/** The lines that stop a server without making it leave. */
export function stopCommands(server: ServerObservation): readonly string[] {
  const service = valueOf(server.service)
  if (service === undefined) return []
  const {unit} = service
  const words: Readonly<Record<Service['manager'], readonly string[] | undefined>> = {
    systemd: ['systemctl', 'stop', unit],
    upstart: ['initctl', 'stop', unit],
    sysv: ['service', unit, 'stop'],
    supervisor: ['supervisorctl', 'stop', unit],
    runit: ['sv', 'down', unit],
    cluster: clusterWords(service, 'stop'),
    custom: undefined,
  }
  const chosen = words[service.manager]
  return chosen === undefined ? [] : [onHost(server, ...chosen)]
}

/** The lines that restart a server after its settings were changed: stop, then start. */
export function restartCommands(server: ServerObservation): readonly string[] {
  return [...stopCommands(server), ...startCommands(server)]
}
