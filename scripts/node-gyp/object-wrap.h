// Included before everything else when better-sqlite3 is compiled (node-gyp.cjs).
//
// From 24.19 on, node's ObjectWrap takes back a cleanup hook in its destructor. That ends the process ("Assertion failed: (env) !=
// nullptr") when the garbage collector removes a statement or a database while no JavaScript runs. Without the hook it
// works as with earlier releases: what is left at the end of the process is not destroyed one by one.
#include <node.h>

namespace node {
inline void NoCleanupHook(v8::Isolate*, void (*)(void*), void*) {}
}  // namespace node

#define AddEnvironmentCleanupHook NoCleanupHook
#define RemoveEnvironmentCleanupHook NoCleanupHook
#include <node_object_wrap.h>
#undef AddEnvironmentCleanupHook
#undef RemoveEnvironmentCleanupHook
