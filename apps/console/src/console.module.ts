import { Controller, Get, Inject, Module, Req, Res } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { Operation } from '@sluice/nest-kit';
import { PAGE_PATHS, PageFiles } from './page-files.ts';

const PAGE_FILES = Symbol('page files');

/** The parts of Fastify's request and reply that are used here. */
interface PageRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}
interface PageReply {
  code(status: number): PageReply;
  headers(headers: Readonly<Record<string, string>>): PageReply;
  send(body: Buffer): unknown;
}

@Controller()
class PageController {
  readonly #files: PageFiles;

  constructor(@Inject(PAGE_FILES) files: PageFiles) {
    this.#files = files;
  }

  @Get(Object.keys(PAGE_PATHS))
  // The page itself holds nothing: what it reads asks for the token.
  @Operation({ summary: 'The page', access: 'open' })
  file(@Req() request: PageRequest, @Res() reply: PageReply): void {
    const { headers, url } = request;
    const answer = this.#files.answer(url.split('?')[0]!, {
      encodings: headers['accept-encoding'] ?? '',
      ifNoneMatch: headers['if-none-match'] ?? null,
    })!;
    reply.code(answer.status).headers(answer.headers).send(answer.body);
  }
}

/** The page at `/` of an admin port that has the admin APIs of every service below `/<service>/`. */
@Module({})
export class ConsoleModule {
  /** @throws Error when the page was not built */
  static of(files: PageFiles = new PageFiles()): DynamicModule {
    return {
      module: ConsoleModule,
      controllers: [PageController],
      providers: [{ provide: PAGE_FILES, useFactory: () => files }],
    };
  }
}
