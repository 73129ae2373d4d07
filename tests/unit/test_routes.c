/* test_routes.c - openapi.json tells of every route of the one table, and of nothing else. */
#include "check.h"
#include "server/api/embedded.h"
#include "server/routes.h"

#include <jansson.h>

/* The path as openapi.json has it. */
static const char *told_path(char *dst, size_t size, const kk_route_row *route)
{
    const size_t skip = strncmp(route->path, "/v1/", 4) == 0 ? 3 : 0;
    (void)snprintf(dst, size, "%s%s", route->path + skip,
                   (route->flags & KK_ROUTE_PART) != 0 ? "{id}" : "");
    return dst;
}

TEST(every_route_is_told_of)
{
    char path[80];
    json_t *api = json_loadb(kk_openapi_json, kk_openapi_json_len, JSON_REJECT_DUPLICATES, NULL);
    json_t *paths = json_object_get(api, "paths");
    CHECK(paths != NULL);
    CHECK_INT(kk_openapi_json[kk_openapi_json_len], 0);
    for (const kk_route_row *route = kk_routes; route->path != NULL; route++) {
        const json_t *told = json_object_get(paths, told_path(path, sizeof(path), route));
        const json_t *get = json_object_get(told, "get"), *post = json_object_get(told, "post");
        CHECK_INT(get != NULL, (route->flags & KK_ROUTE_GET) != 0);
        CHECK_INT(post != NULL, (route->flags & KK_ROUTE_POST) != 0);
        if (get == NULL && post == NULL)
            printf("openapi.json has no %s\n", path);
        CHECK(get == NULL || json_object_get(get, "summary") != NULL);
        CHECK(post == NULL || json_object_get(post, "summary") != NULL);
    }
    json_decref(api);
}

TEST(everything_told_is_a_route)
{
    char path[80];
    const char *told;
    json_t *value;
    json_t *api = json_loadb(kk_openapi_json, kk_openapi_json_len, 0, NULL);
    json_object_foreach(json_object_get(api, "paths"), told, value)
    {
        bool is_routed = false;
        for (const kk_route_row *route = kk_routes; route->path != NULL; route++)
            is_routed = is_routed || strcmp(told_path(path, sizeof(path), route), told) == 0;
        CHECK(is_routed);
    }
    json_decref(api);
}

/* Clients with a base URL of either kind find what they look for. */
TEST(routes_are_there_with_and_without_v1)
{
    for (const kk_route_row *route = kk_routes; route->path != NULL; route++) {
        char with[80];
        bool has_twin = strncmp(route->path, "/v1/", 4) == 0 || strcmp(route->path, "/") == 0 ||
                        strcmp(route->path, "/docs") == 0;
        (void)snprintf(with, sizeof(with), "/v1%s", route->path);
        for (const kk_route_row *other = kk_routes; other->path != NULL; other++)
            has_twin =
                has_twin || (strcmp(other->path, with) == 0 && other->endpoint == route->endpoint &&
                             other->flags == route->flags);
        CHECK(has_twin);
        if (!has_twin)
            printf("there is no %s\n", with);
    }
}

TEST_MAIN(T(every_route_is_told_of), T(everything_told_is_a_route),
          T(routes_are_there_with_and_without_v1))
