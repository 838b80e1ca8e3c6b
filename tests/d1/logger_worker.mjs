// A logger as a Worker: for each event it asks the flag over OFREP, and writes and reads on the old
// path (Reporter) or the new one (Mailbox and Domain). Bundled with OpenFeature's own client.
import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";

const paths = {
  old: {
    write: (db, e) => db.prepare("INSERT INTO Event(EventId, What, Reporter) VALUES(?1, ?2, ?3)").bind(e.id, e.what, `${e.mailbox}@${e.domain}`),
    change: (db, e) => db.prepare("UPDATE Event SET Reporter = ?2 WHERE EventId = ?1").bind(e.id, `${e.mailbox}@${e.domain}`),
    read: "SELECT Reporter AS reporter FROM Event WHERE EventId = ?1",
  },
  new: {
    write: (db, e) => db.prepare("INSERT INTO Event(EventId, What, Mailbox, Domain) VALUES(?1, ?2, ?3, ?4)").bind(e.id, e.what, e.mailbox, e.domain),
    change: (db, e) => db.prepare("UPDATE Event SET Mailbox = ?2, Domain = ?3 WHERE EventId = ?1").bind(e.id, e.mailbox, e.domain),
    read: "SELECT Mailbox || '@' || Domain AS reporter FROM Event WHERE EventId = ?1",
  },
};

let asking; // made once in the life of the Worker
async function client(env) {
  asking ??= OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: env.FLAGS, headers: { Authorization: `Bearer ${env.FLAGS_TOKEN}` } }));
  await asking;
  return OpenFeature.getClient();
}

export default {
  async fetch(request, env) {
    const { event, change, read } = await request.json();
    try {
      const details = await (await client(env)).getBooleanDetails(env.FLAG, false, { targetingKey: event.mailbox, domain: event.domain });
      const path = details.value ? "new" : "old";
      const seen = read === undefined ? null : await env.DB0.prepare(paths[path].read).bind(read).first("reporter");
      await paths[path][change ? "change" : "write"](env.DB0, event).run();
      return Response.json({ path, reason: details.reason, code: details.errorCode, seen });
    } catch (error) {
      return Response.json({ error: String(error?.stack ?? error) });
    }
  },
};
