#pragma once
// Nothing to call: what links this keeps its heap small (smallheap.c).
