#!/usr/bin/env node
import module from "node:module";

// Where there is one (Node 22): the next start needs not compile what this one did.
module.enableCompileCache?.();
await import("../dist/bin.js");
