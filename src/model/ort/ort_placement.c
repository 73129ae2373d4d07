/*
 * ort_placement.c - which execution provider runs how many nodes of the graph.
 *
 *     "CPUExecutionProvider: 3396 nodes", or several, comma-separated
 *
 * The runtime tells it of the graph after its basic optimisations, which are the level that
 * sessions of ours use.
 */
#include "model/ort/ort_session.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PROVIDERS = 4 };

typedef struct tally {
    const char *names[MAX_PROVIDERS]; /* of the runtime */
    size_t n_nodes[MAX_PROVIDERS];
    size_t n;
} tally;

static void add(tally *t, const char *name, size_t n_nodes)
{
    size_t i = 0;
    while (i < t->n && strcmp(t->names[i], name) != 0)
        i++;
    if (i == MAX_PROVIDERS)
        return;
    if (i == t->n) {
        t->names[i] = name;
        t->n_nodes[i] = 0;
        t->n++;
    }
    t->n_nodes[i] += n_nodes;
}

void kk_ort_count_nodes(kk_ort_model *model, const OrtSession *session)
{
    const kk_ort_api *api = &model->api;
    const OrtEpAssignedSubgraph *const *parts = NULL;
    size_t n_parts = 0, len = 0;
    tally t = {.n = 0};
    model->placement[0] = '\0';
    if (api->Session_GetEpGraphAssignmentInfo == NULL ||
        kk_ort_check(api, api->Session_GetEpGraphAssignmentInfo(session, &parts, &n_parts), "",
                     NULL) != KOKORO_OK)
        return;
    for (size_t i = 0; i < n_parts; i++) {
        const OrtEpAssignedNode *const *nodes = NULL;
        const char *name = NULL;
        size_t n_nodes = 0;
        if (kk_ort_check(api, api->EpAssignedSubgraph_GetEpName(parts[i], &name), "", NULL) ==
                KOKORO_OK &&
            kk_ort_check(api, api->EpAssignedSubgraph_GetNodes(parts[i], &nodes, &n_nodes), "",
                         NULL) == KOKORO_OK)
            add(&t, name, n_nodes);
    }
    for (size_t i = 0; i < t.n && len < sizeof(model->placement); i++) {
        int n = snprintf(model->placement + len, sizeof(model->placement) - len, "%s%s: %zu nodes",
                         i > 0 ? ", " : "", t.names[i], t.n_nodes[i]);
        len += n > 0 ? (size_t)n : 0;
    }
}
