import HTTPTypes
import Hummingbird
import Operators

/// Which cell's pages an operator looks at.
extension Console {
    func addCells(to router: Router<ConsoleContext>) {
        guard let cells else { return }
        router.get("/cells") { request, context in
            let session = try session(context, .look, request)
            return await answer(cellsPage(cells, session, request), request, context)
        }
        router.post("/cells") { request, context in
            let (form, session) = try await form(request, context, for: "cells", .look)
            guard let cell = cells.cells().first(where: { $0.name == form["name"] }) else {
                let error = PageError(.notFound, "There is no such cell.", "Choose one of these.")
                return await answer(cellsPage(cells, session, request).saying(error), request, context)
            }
            var response = Response.found("/waiting")
            response.headers[.setCookie] = CellDoor.cookie(for: cell.name)
            return response
        }
    }

    private func cellsPage(_ cells: CellPages, _ session: Session, _ request: Request) -> Page {
        var page = Page(template: "cells", title: "Cells")
        let present = request.cookie(CellDoor.cookie) ?? cells.own
        page.values["token"] = session.forms.token(for: "cells")
        page.values["rows"] = cells.cells().map { cell -> [String: Any] in
            var values: [String: Any] = ["name": cell.name, "place": cell.place ?? "it has no pages"]
            if cell.name == present { values["here"] = true } else if cell.place != nil { values["other"] = true }
            return values
        }
        return page
    }
}
