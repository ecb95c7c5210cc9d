/* SPDX-License-Identifier: BSD-2-Clause */
/* A status endpoint that says what a test wants: serves the files of FOLDER over HTTP on loopback.
 *
 *     fake_status FOLDER           GET /name answers 200 with the content of FOLDER/name, else 404
 *     fake_status --silent         accepts connections and never answers, like a stopped process
 *
 * Takes a free port, prints it on a line, and runs until it is killed. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <microhttpd.h>

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request)
{
    const char *folder = context;
    char path[4096];
    struct stat st;
    struct MHD_Response *response;
    unsigned status = MHD_HTTP_OK;
    int file = -1;

    (void)version, (void)upload, (void)upload_size, (void)request;
    snprintf(path, sizeof path, "%s%s", folder, url);
    if (strcmp(method, "GET") == 0 && strstr(url, "..") == NULL) file = open(path, O_RDONLY);
    if (file >= 0 && fstat(file, &st) == 0) {
        response = MHD_create_response_from_fd((uint64_t)st.st_size, file);
    } else {
        status = MHD_HTTP_NOT_FOUND;
        response = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    if (argc != 2) return 2;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        perror("fake_status");
        return 1;
    }
    if (strcmp(argv[1], "--silent") != 0 &&
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, argv[1],
                         MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_END) == NULL) {
        fprintf(stderr, "fake_status: libmicrohttpd does not start\n");
        return 1;
    }
    printf("%u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    for (;;) pause();
}
