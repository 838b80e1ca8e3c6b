// The application: a Worker over the same D1 database, with the code of the old release ("old": Phone)
// and of the new one ("new": Area and Number).
const write = {
  old: {
    insert: (db, c) => db.prepare("INSERT INTO Customer(CustomerId, FirstName, Phone) VALUES(?1, ?2, ?3)").bind(c.id, c.name, `${c.area}-${c.number}`),
    update: (db, c) => db.prepare("UPDATE Customer SET Phone = ?2 WHERE CustomerId = ?1").bind(c.id, `${c.area}-${c.number}`),
  },
  new: {
    insert: (db, c) => db.prepare("INSERT INTO Customer(CustomerId, FirstName, Area, Number) VALUES(?1, ?2, ?3, ?4)").bind(c.id, c.name, c.area, c.number),
    update: (db, c) => db.prepare("UPDATE Customer SET Area = ?2, Number = ?3 WHERE CustomerId = ?1").bind(c.id, c.area, c.number),
  },
};
const remove = (db, c) => db.prepare("DELETE FROM Customer WHERE CustomerId = ?1").bind(c.id);
const read = {
  old: "SELECT CustomerId, Phone FROM Customer",
  new: "SELECT CustomerId, Area || '-' || Number FROM Customer",
};

export default {
  async fetch(request, env) {
    const { db: name, path, op, customer } = await request.json(), db = env[name];
    try {
      if (op === "read") return Response.json({ rows: await db.prepare(read[path]).raw() });
      if (op === "sql") return Response.json({ rows: await db.prepare(customer).raw() });
      if (op === "columns") return Response.json({ rows: await db.prepare(customer).raw({ columnNames: true }) });
      const { meta } = await (op === "delete" ? remove : write[path][op])(db, customer).run();
      return Response.json({ changed: meta.changes });
    } catch (error) {
      return Response.json({ error: String(error?.message ?? error) });
    }
  },
};
