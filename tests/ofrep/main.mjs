// node main.mjs BUILD CLIENTS WORK
import { close } from "./rig.mjs";
import { serverProvider } from "./server_provider.mjs";
import { webProvider } from "./web_provider.mjs";

await serverProvider();
await webProvider();
close();
