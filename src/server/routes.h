/* routes.h - the one table of routes, for the router and for the description of the API. */
#ifndef KK_SERVER_ROUTES_H
#define KK_SERVER_ROUTES_H

#include "server/server_state.h"

enum kk_route_flag {
    KK_ROUTE_GET = 1, /* and HEAD */
    KK_ROUTE_POST = 2,
    KK_ROUTE_NO_STORE = 4,
    KK_ROUTE_STREAM = 8, /* a POST that is handled at the first byte of its body (KK_HTTP_STREAM) */
    KK_ROUTE_PART = 16,  /* the path, which ends in /, takes one more part: {id} */
    KK_ROUTE_KEYED = 32  /* a GET that needs a key where keys are in force, as every POST does */
};

typedef struct kk_route_row {
    const char *path;
    unsigned flags; /* kk_route_flag */
    kk_endpoint *endpoint;
} kk_route_row;

/* Ended by a NULL path. */
extern const kk_route_row kk_routes[];

#endif
