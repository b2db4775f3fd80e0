// A dialer in JavaScript: sends calls with kafkajs and reads sync.calls until each of them is in the CRM.
//
// npm install && node dialer.js BROKER REGISTRY TENANT NUMBER COUNT
'use strict'

const { Kafka, Partitioners, CompressionTypes, CompressionCodecs, logLevel } = require('kafkajs')
const { SchemaRegistry } = require('@kafkajs/confluent-schema-registry')

// crmstream writes its topics with snappy, which kafkajs does not bring.
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')

async function main(broker, host, tenant, number, count) {
  const kafka = new Kafka({ brokers: [broker], clientId: 'dialer', logLevel: logLevel.NOTHING })
  const registry = new SchemaRegistry({ host })
  const run = Date.now().toString()

  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const schema = await registry.getLatestSchemaId('dialer.calls-value')
  const wanted = new Set()
  for (let n = 0; n < count; n++) {
    const ended = Date.now()
    const call = {
      call_id: `js-${run}-${n}`, revision: 1, direction: 'outbound', started_at: ended - 90_000, ended_at: ended, duration_seconds: 90,
      from_number: '+14155550100', to_number: number, contact_id: null, crm_link: null, agent_email: 'rep@example.com', disposition: 'Connected',
      notes: null, recording_id: null, time_zone: null, score: null,
    }
    await producer.send({ topic: 'dialer.calls', acks: -1, messages: [{ key: tenant, value: await registry.encode(schema, call) }] })
    wanted.add(`${tenant}/${call.call_id}`)
  }
  await producer.disconnect()

  const consumer = kafka.consumer({ groupId: `js-${run}` }) // read_committed is its default
  await consumer.connect()
  await consumer.subscribe({ topic: 'sync.calls', fromBeginning: true })
  const logged = new Promise((resolve) => {
    consumer.run({
      eachMessage: async ({ message }) => {
        if (message.value && wanted.has(message.key.toString()) && (await registry.decode(message.value)).status === 'synced') {
          wanted.delete(message.key.toString())
        }
        if (wanted.size === 0) resolve()
      },
    })
  })
  const late = setTimeout(() => {
    console.error(`${count} calls sent, ${wanted.size} not logged within a minute`)
    process.exit(1)
  }, 60_000)
  await logged
  clearTimeout(late)
  await consumer.disconnect()
  console.log(`${count} calls sent, 0 not logged`)
}

const [broker, registry, tenant, number, count] = process.argv.slice(2)
if (!count) {
  console.error('usage: dialer.js BROKER REGISTRY TENANT NUMBER COUNT')
  process.exit(2)
}
main(broker, registry, tenant, number, Number(count)).catch((e) => {
  console.error(e.message)
  process.exit(1)
})
